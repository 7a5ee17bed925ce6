/* SPDX-License-Identifier: Apache-2.0 */
#include "ask.h"

#include <string.h>

#include "client.h"

static hr_question *question_of(hr_list *node)
{
    return HR_CONTAINER(node, hr_question, node);
}

static void refuse(hr_question *question, hr_status status, const char *text)
{
    question->waits = false;
    question->answered(question, &(hr_message_digested){
                                     .status = status,
                                     .text = hr_bytes_make(text, strlen(text)),
                                 });
}

static void send_waiting(hr_client *client)
{
    while (client->asked_digests < HR_MESSAGE_DIGESTS_MAX && !hr_list_is_empty(&client->asking)) {
        hr_question *question = question_of(hr_list_take_first(&client->asking));
        client->asked_digests++;
        question->request = ++client->next_request;
        hr_list_append(&client->asked, &question->node);
        hr_client_send(client,
                       &(hr_message){
                           .kind = HR_MESSAGE_DIGEST,
                           .digest = {.request = question->request,
                                      .path = hr_bytes_make(question->path, strlen(question->path)),
                                      .offset = question->offset,
                                      .len = question->len},
                       });
    }
}

void hr_client_ask(hr_client *client, hr_question *question)
{
    hr_error error = client->error;
    if (client->status != HR_OK ||
        hr_client_check_path(client, strlen(question->path), &error) != HR_OK) {
        refuse(question, error.status, error.text);
    } else if ((client->features & HR_FEATURE_DIGESTS) == 0) {
        refuse(question, HR_UNSUPPORTED, "the server is too old to tell digests of files");
    } else {
        question->waits = true;
        question->request = 0;
        hr_list_append(&client->asking, &question->node);
        send_waiting(client);
    }
}

static void was_given_up(hr_task *task)
{
    refuse(HR_CONTAINER(task, hr_question, given_up), HR_CANCELED, "canceled");
}

/* Its answer may come all the same, and is nobody's then. */
void hr_client_give_up(hr_client *client, hr_question *question)
{
    if (!question->waits)
        return;
    question->waits = false;
    hr_list_remove(&question->node);
    client->given_up += question->request != 0;
    question->given_up.run = was_given_up;
    hr_loop_defer(hr_engine_home(client->engine)->loop, &question->given_up);
}

void hr_client_take_digested(hr_client *client, const hr_message_digested *digested)
{
    for (hr_list *node = client->asked.next; node != &client->asked; node = node->next) {
        hr_question *question = question_of(node);
        if (question->request != digested->request)
            continue;
        hr_list_remove(node);
        client->asked_digests--;
        question->waits = false;
        question->answered(question, digested);
        send_waiting(client);
        return;
    }
    if (client->given_up > 0) {
        client->given_up--;
        client->asked_digests--;
        send_waiting(client);
        return;
    }
    hr_client_fail(client, HR_PROTOCOL, "%s told a digest that nobody asked for", client->address);
}

void hr_client_fail_questions(hr_client *client)
{
    hr_list *node;
    client->asked_digests = 0;
    while ((node = hr_list_take_first(&client->asked)) != NULL ||
           (node = hr_list_take_first(&client->asking)) != NULL)
        refuse(question_of(node), client->error.status, client->error.text);
}
